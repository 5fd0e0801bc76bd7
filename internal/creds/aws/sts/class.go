package sts

import (
	"crypto/tls"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// class says what kind an error is, and whether to try again.
type class struct {
	code  fault.Code
	retry bool
}

// classify returns the class of an error of the SDK, by STS's error code. If the code is
// not known, the HTTP status decides. An error without an answer of STS is
// infrastructure's.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
func classify(err error) class {
	if own, ok := errors.AsType[*fault.Error](err); ok {
		return class{own.Code, false}
	}
	if errors.Is(err, httpguard.ErrPlain) {
		return class{fault.BadServer, false}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return class{fault.NoAnswer, false}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return class{fault.NoAnswer, true}
	}
	if isLate(api.ErrorCode()) {
		return class{fault.Clock, false}
	}
	return classOf(api, status(err))
}

// classOf returns the class of an answer of STS with that HTTP status.
func classOf(api smithy.APIError, status int) class {
	code := api.ErrorCode()
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled || strings.HasPrefix(code, "RequestTimeout") || unread(api) {
		return class{fault.NoAnswer, true}
	}
	if known, ok := codes(code); ok {
		return class{known, false}
	}
	if status == 429 || status >= 500 || status/100 == 3 || code == "UnknownError" {
		return class{fault.NoAnswer, status >= 429}
	}
	return class{fault.RequestDenied, false}
}

// unread reports whether AWS could not read the keys of the token's issuer in time.
func unread(api smithy.APIError) bool {
	code := api.ErrorCode()
	return code == "IDPCommunicationError" ||
		code == "InvalidIdentityToken" && strings.Contains(api.ErrorMessage(), "retrieve verification key")
}

// isLate reports whether STS refuses the time of a signed request. The SDK corrects its clock
// by the answers of STS, but an answer that was changed on the way can mislead it.
func isLate(code string) bool {
	switch code {
	case "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException":
		return true
	}
	return false
}

// codes returns our code of an error code of STS that is final.
func codes(code string) (fault.Code, bool) {
	switch code {
	case "AccessDenied", "AccessDeniedException":
		return fault.AccessDenied, true
	case "InvalidIdentityToken", "IDPRejectedClaim":
		return fault.TokenRejected, true
	case "ExpiredTokenException", "ExpiredToken":
		return fault.ForeignToken, true
	case "MalformedPolicyDocument", "PackedPolicyTooLarge":
		return fault.PolicyRefused, true
	case "RegionDisabledException":
		return fault.RegionOff, true
	}
	return "", false
}

// status returns the HTTP status of the answer in err, and 0 if there is none.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// refusesDuration reports whether STS refused the duration as too long for the role.
func refusesDuration(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "durationseconds")
}
