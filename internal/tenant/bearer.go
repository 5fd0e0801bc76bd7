package tenant

import "strings"

// URLVariable is the variable by which a job that is known by its ID token alone says which
// tenant and which source it asks for.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
const URLVariable = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

// here returns a text about this runner. For a Bearer it is about this broker.
func (s Subject) here(text string) string {
	if s.Bearer {
		return strings.Replace(text, "this runner", "this broker", 1)
	}
	return text
}

// by names what says which tenant a job asks for.
func (s Subject) by() string {
	if s.Bearer {
		return "a tenant at the end of " + URLVariable
	}
	return Variable
}

// token names the ID token in a variable. The variable of a Bearer is not known.
func (s Subject) token(variable string) string {
	if s.Bearer {
		return "the ID token"
	}
	return variable
}

// many says what the author of a job does that several tenants allow.
func (s Subject) many() string {
	if s.Bearer {
		return "set " + s.by()
	}
	return "set TENANT to one of them; or, if the job needs no AWS and has the ID token by default:" + noDefaults
}

// unknown says what the author of a job does whose tenant is not known.
func (s Subject) unknown() string {
	if s.Bearer {
		return "correct " + URLVariable + " in .gitlab-ci.yml"
	}
	return "correct TENANT in .gitlab-ci.yml; if it means something else, and the job has its ID token by default:" + noDefaults
}
