package bucket

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"rolecall/internal/fault"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/httpguard"
)

// maxHeader bounds the header of an answer, in bytes.
const maxHeader = 64 << 10

// transport returns the way to the store: by the proxy of the program's environment, and with the
// authorities of the bundle alone, or of the host if that is nil.
func transport(caBundle []byte) (*http.Transport, error) {
	var roots *x509.CertPool
	if caBundle != nil {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(caBundle) {
			return nil, fault.New(fault.BadStore, errors.New("ca_bundle of the store has no certificate in PEM"), "correct the file that ca_bundle names")
		}
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxHeader, DisableCompression: true, MaxIdleConnsPerHost: 16,
	}, nil
}

// retryer tries a request up to three times, while its error may pass.
func retryer() sdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 3, 2*time.Second, ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.IsErrorRetryableFunc(func(err error) sdk.Ternary { return sdk.BoolTernary(passes(err)) }),
		}
	})
}

// passes reports whether the next try may go better.
func passes(err error) bool {
	var certificate *tls.CertificateVerificationError
	var api smithy.APIError
	switch {
	case errors.Is(err, httpguard.ErrPlain), errors.As(err, &certificate):
		return false
	case !errors.As(err, &api):
		return true
	}
	return isBusy(api.ErrorCode(), statusOf(err))
}

// isBusy reports whether an answer is one of a store that cannot serve now. Two writers of one
// name at once are told so, too: the next try then finds the object.
func isBusy(code string, status int) bool {
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	return throttled || status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented ||
		slices.Contains([]string{"RequestTimeout", "ConditionalRequestConflict", "OperationAborted", "SlowDown"}, code)
}

// statusOf returns the HTTP status of the answer in err, and 0 if there is none.
func statusOf(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// explain turns an error of the SDK into one of package fault, or of package shelf. It holds
// nothing of an answer but its code and its id.
func (f *Folder) explain(err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return f.away(err)
	}
	code, status := api.ErrorCode(), statusOf(err)
	switch {
	case status == http.StatusPreconditionFailed:
		return shelf.ErrThere
	case code == "NoSuchKey":
		return shelf.ErrGone
	case f.isOver(code):
		return f.with(fault.New(fault.NoStore, errors.New("the job's session is over: the bucket does not accept it"),
			"a longer duration of the tenant, or delivery = \"endpoint\", which renews the session"), code, err).With("session", "until "+f.ends.UTC().Format(time.RFC3339))
	case code == "RequestTimeTooSkewed":
		return f.with(fault.New(fault.Clock, errors.New("the bucket refuses the time of this host"), "check NTP"), code, err)
	case isBusy(code, status) || code == "UnknownError" && status/100 != 3:
		return f.with(fault.New(fault.NoStore, errors.New("the store of handed-over values cannot serve now"), "look at the store, if it lasts"), cmp.Or(code, "?"), err)
	case strings.HasPrefix(code, "AccessDenied") || strings.HasPrefix(code, "AllAccessDisabled") || strings.HasPrefix(code, "KMS.") || status == http.StatusForbidden && !isWrong(code):
		return f.denied(code, err)
	}
	return f.with(fault.New(fault.BadStore, errors.New("the bucket of handed-over values cannot be used"), next(code)), code, err)
}

// isOver reports whether an answer is one to a session that is over.
func (f *Folder) isOver(code string) bool {
	known := slices.Contains([]string{"InvalidAccessKeyId", "InvalidToken", "InvalidTokenId", "AccessDenied"}, code)
	return code == "ExpiredToken" || code == "ExpiredTokenException" || known && !f.ends.IsZero() && time.Now().After(f.ends)
}

// isWrong reports whether a refusal says that the settings of the store are wrong.
func isWrong(code string) bool {
	return slices.Contains([]string{"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidTokenId", "InvalidBucketName", "MethodNotAllowed"}, code)
}

// next returns what to do about an answer with that code.
func next(code string) string {
	switch code {
	case "NoSuchBucket", "InvalidBucketName":
		return "correct bucket in the table handover of the policy file, or create the bucket"
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MovedPermanently":
		return "correct region in the table handover of the policy file: it must be that of the bucket"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidTokenId":
		return "correct endpoint in the table handover of the policy file: it must take the sessions of the tenant's STS"
	}
	return "correct bucket, region and endpoint in the table handover of the policy file"
}

// denied returns the error that the session may not do what a job must be able to do.
func (f *Folder) denied(code string, err error) error {
	at := "arn:aws:s3:::" + f.store.Bucket
	return f.with(fault.New(fault.StoreDenied, errors.New("the job's role may not use the bucket of handed-over values"),
		fmt.Sprintf("the role needs, and a policy or a key of the bucket must not refuse:\ns3:PutObject, s3:GetObject  %s/%s*\ns3:ListBucket  %s", at, f.path, at)), code, err)
}

// away returns the error that the store does not answer.
func (f *Folder) away(err error) error {
	var certificate *tls.CertificateVerificationError
	why := cmp.Or(httpguard.Cause(err), "its answer is not that of S3")
	switch {
	case errors.Is(err, httpguard.ErrPlain):
		return f.with(fault.New(fault.BadStore, fmt.Errorf("endpoint of the store is %w", httpguard.ErrPlain), "use https"), "", nil)
	case errors.As(err, &certificate):
		return f.with(fault.New(fault.NoStore, errors.New("the store of handed-over values does not answer"),
			"the authority that has signed the certificate must be in ca_bundle of the table handover; without ca_bundle, among those that the host trusts").Detail("why", why), "", nil)
	}
	return f.with(fault.New(fault.NoStore, errors.New("the store of handed-over values does not answer"),
		"look at the store, and at the network, the proxy and the CA of the runner's host, if it lasts").Detail("why", why), "", nil)
}

// with adds to an error where it happened, and what the answer says of itself.
func (f *Folder) with(e *fault.Error, code string, err error) *fault.Error {
	e = e.With("bucket", f.store.Bucket).With("server", f.guard.Host())
	e.Answer.Code = plain(code)
	_ = e.With("answer", e.Answer.Code)
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		e.Answer.Request = plain(response.ServiceRequestID())
		e.Trace = "AWS request id " + e.Answer.Request
	}
	return e
}

// plain returns a word of an answer, if it is short and has only letters and digits: a server that
// is not S3 could send back the session in it.
func plain(word string) string {
	if len(word) > 64 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" {
		return "(not printable)"
	}
	return word
}
