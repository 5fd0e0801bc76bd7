// Command post is the least that a Go program can do to get credentials of STS: it posts its
// standard input as a form to the URL that is its argument.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	if err := post(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// post posts the form, and copies the answer.
func post(url string) error {
	answer, err := http.Post(url, "application/x-www-form-urlencoded", os.Stdin)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
