package proton_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/proton"

	"portcullis/shared/localaws/proton"
)

func TestZZ(t *testing.T) {
	s := newStage(t)
	for range 150 {
		s.add(proton.Pending)
	}
	p := s.as(management)
	p.Client = sdk.New(p.Client.Options(), func(o *sdk.Options) { o.HTTPClient = &http.Client{Transport: &http.Transport{}} })
	for range 50 {
		must(p.list(sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT", MaxResults: aws.Int32(100)}))(t)
	}
}
