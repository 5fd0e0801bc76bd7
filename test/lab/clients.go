package lab

import (
	"errors"
	"os"
	"path/filepath"

	"rolecall/test/kit"
)

// Client is a program of a job that calls S3 with an SDK of AWS. It takes credentials, region
// and AWS_ENDPOINT_URL_S3 from its environment, and prints "key" and a hash of the access key
// id, then the keys of a bucket, one a line.
type Client struct {
	Name string // "go", "boto3", "cli" or "js"
	// Command is a line of a script, to which the name of the bucket is added.
	Command string
	// Address is a link-local address from which the client takes credentials over http.
	Address string

	file, pkg string // of the host; the package of Debian that has it
}

// Clients puts the clients into dir, where every user can run them. The error says what is
// missing on this host.
func Clients(dir string) ([]Client, error) {
	clients := []Client{
		{Name: "go", Command: "s3job use", Address: kit.AddressEKS},
		{Name: "boto3", Command: "/usr/bin/python3 " + dir + "/s3.py", Address: kit.AddressECS, file: "/usr/lib/python3/dist-packages/boto3", pkg: "python3-boto3"},
		{Name: "cli", Command: "/bin/bash " + dir + "/s3.sh", Address: kit.AddressECS, file: "/usr/bin/aws", pkg: "awscli"},
		{Name: "js", Command: "/usr/bin/node " + dir + "/s3.js", Address: kit.AddressEKS, file: "/usr/bin/node", pkg: "nodejs"},
	}
	var err error
	for _, c := range clients {
		if _, e := os.Stat(c.file); c.file != "" && e != nil {
			err = errors.Join(err, errors.New("install the package "+c.pkg))
		}
	}
	return clients, errors.Join(err, copyClients(dir))
}

// copyClients copies the clients' files to a folder.
func copyClients(dir string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	var script string
	if err := find(&script, root, "bin/test/js/s3.js", "make parts"); err != nil {
		return err
	}
	for _, from := range []string{script, filepath.Join(root, "test/clients/s3.py"), filepath.Join(root, "test/clients/watch.py"), filepath.Join(root, "test/clients/s3.sh")} {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(from)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
