package localaws

import (
	"fmt"
	"net/http"
	"strings"
)

// Credentials are those of one account, or of a session of a [Role]. They are made up, and valid in this World only.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

// An identity is who acts by an access key: an account, or one of its roles in a session of this name.
type identity struct {
	account string
	role    *role // nil for the account itself
	session string
}

// Account returns the credentials that act as the account with this 12-digit id, which exists from now on.
func (w *World) Account(id string) Credentials {
	c := Credentials{
		AccessKeyID:     "ASIALOCL" + id,
		SecretAccessKey: "secret-of-" + id,
		SessionToken:    "session-of-" + id,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[c.AccessKeyID] = identity{account: id}
	return c
}

// newSession returns new credentials of a role. As on AWS, the account can be read from the access key.
func (w *World) newSession(r *role, name string) Credentials {
	w.sessions++
	c := Credentials{
		AccessKeyID:     fmt.Sprintf("ASIALOCL%sS%06d", r.account, w.sessions),
		SecretAccessKey: fmt.Sprintf("secret-of-session-%d", w.sessions),
		SessionToken:    fmt.Sprintf("session-%d-of-%s", w.sessions, r.name),
	}
	w.keys[c.AccessKeyID] = identity{r.account, r, name}
	return c
}

// Environment returns the variables with which an SDK, the AWS CLI or a function acts as account in region.
func (w *World) Environment(account, region string) []string {
	return w.environment(w.Account(account), region)
}

func (w *World) environment(c Credentials, region string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + w.url,
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.SessionToken,
	}
}

// signedBy reads the credential scope of a Signature Version 4 request: KEY/DATE/REGION/SERVICE/aws4_request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func signedBy(r *http.Request) (key, region, service string, err error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", "", "", &Error{Status: http.StatusForbidden, Code: "MissingAuthenticationTokenException",
			Message: "Missing Authentication Token"}
	}
	_, rest, _ := strings.Cut(header, "Credential=")
	credential, _, _ := strings.Cut(rest, ",")
	parts := strings.Split(credential, "/")
	if !strings.HasPrefix(header, "AWS4-HMAC-SHA256 ") || len(parts) != 5 || parts[4] != "aws4_request" {
		return "", "", "", &Error{Status: http.StatusBadRequest, Code: "IncompleteSignatureException",
			Message: "Authorization header requires 'Credential' parameter"}
	}
	return parts[0], parts[2], parts[3], nil
}
