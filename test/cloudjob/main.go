// Command cloudjob is a job's client of Google Cloud and Azure in the tests. It gets an access
// token by the official libraries, as any program that uses them: from what is in its environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"cloud.google.com/go/auth/credentials"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

const usage = `usage: cloudjob gcp|azure URL

It prints what the server at URL says of who has the access token.`

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cloudjob:", err)
		os.Exit(1)
	}
}

// run gets a token of the cloud that the first argument names, and shows it to the server.
func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New(usage)
	}
	of := map[string]func(context.Context) (string, error){"gcp": google, "azure": azure}[args[0]]
	if of == nil {
		return errors.New(usage)
	}
	token, err := of(ctx)
	if err != nil {
		return err
	}
	return show(ctx, args[1], token)
}

// google returns a token by Application Default Credentials.
func google(ctx context.Context) (string, error) {
	found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}})
	if err != nil {
		return "", err
	}
	token, err := found.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.Value, nil
}

// azure returns a token by DefaultAzureCredential. Microsoft's own server, which knows all clouds
// but the test's, is not asked.
func azure(ctx context.Context) (string, error) {
	found, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{DisableInstanceDiscovery: true})
	if err != nil {
		return "", err
	}
	token, err := found.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	return token.Token, err
}

// show prints what the server at url says to a token.
func show(ctx context.Context, url, token string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, answer)
	}
	fmt.Println(string(answer))
	return nil
}
