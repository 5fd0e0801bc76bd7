// Command post is the least that a Go program can do to get credentials of STS: it posts its
// standard input as a form to the URL that is its argument.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	answer, err := http.Post(os.Args[1], "application/x-www-form-urlencoded", os.Stdin)
	if err == nil {
		_, err = io.Copy(os.Stdout, answer.Body)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, answer, err)
		os.Exit(1)
	}
}
