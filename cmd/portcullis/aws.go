package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"portcullis/internal/present"
	"portcullis/internal/signin"
)

// regionsToLookAt is what --region means where a command looks at whole Regions.
const regionsToLookAt = "a Region to look at; may be given several times"

// awsFlags are the options of every command that calls AWS, as the AWS CLI has
// them.
type awsFlags struct{ options signin.Options }

// add adds them to a command, with what it means there to name a Region.
func (f *awsFlags) add(c *cobra.Command, region string) {
	c.Flags().StringVar(&f.options.Profile, "profile", "", "`NAME` of the profile with the credentials, in ~/.aws/config")
	c.Flags().StringSliceVar(&f.options.Regions, "region", nil, "`NAME` of "+region)
	c.Flags().StringVar(&f.options.Endpoint, "endpoint-url", "", "`URL` where AWS is, for tests and private endpoints")
}

func (f *awsFlags) signIn(ctx context.Context, c *cobra.Command) (*signin.Login, error) {
	if in := c.InOrStdin(); present.IsTerminal(in) {
		f.options.Token = func() (string, error) { return askToken(in, c.ErrOrStderr()) }
	}
	return signin.In(ctx, f.options)
}

// tellEmpty tells a person that a Region holds nothing of what was looked for, which
// is compliant and perhaps not where they meant to look. What could not be read is a
// finding, and a service that is gone has told so.
func tellEmpty(progress present.Progress, region string, all []looked) {
	there := 0
	for _, l := range all {
		if l.plan.Looked > 0 || len(l.plan.Findings) > 0 && !l.part.IsGone() {
			return
		}
		if !l.part.IsGone() {
			there++
		}
	}
	if there > 0 {
		progress.Tell("nothing was found in %s; see that --region, or AWS_REGION, is the right one", region)
	}
}

func askToken(in io.Reader, errs io.Writer) (string, error) {
	fmt.Fprint(errs, "MFA code: ")
	line, err := bufio.NewReader(in).ReadString('\n')
	return strings.TrimSpace(line), err
}
