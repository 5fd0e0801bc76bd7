package backend

import (
	"context"

	"rolecall/internal/mask"
)

// Order is what a backend needs to build the place of a job, beside the Data of the job's
// record. It is kept nowhere.
type Order struct {
	Containers *Containers       // as in the Spec
	Logins     []Login           // of registries
	Resolve    Resolver          // asks a registry
	Secrets    string            // the folder that scripts find the env file in; empty: there is none
	Endpoint   bool              // scripts ask for credentials on the loopback interface, where this host must be able to listen
	Program    string            // path of a program of the driver that scripts find at the same path; empty: none
	Proxy      []string          // variables of the service that name proxies, as NAME=value
	Say        func(text string) // shows a line in the job log
	Warn       func(text string) // shows a warning there, which may have several lines
}

// Resolver returns the digest that a registry has for an image, of the manifest for its
// platform. Errors are of package fault.
type Resolver func(ctx context.Context, i Image) (digest string, err error)

// Login is how a job logs in to a registry.
type Login struct {
	Host     string // and port, such as registry.example.com:5050
	Username string
	Password mask.Secret
	Source   string // where it comes from, in words for messages
}
