package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/mask"
)

// maxIssued bounds the size of the driver's own copy, in bytes.
const maxIssued = 4 << 20

// issued is the content of the driver's own copy.
type issued struct {
	set    creds.Set
	old    []mask.Named  // secrets of the credentials that Replace has replaced
	orders []creds.Order // as in Issued
}

// issuedJSON is the form of the driver's own copy: the secrets are in the clear.
type issuedJSON struct {
	Credentials []clear.Credential `json:"credentials"`
	Old         []clear.Secret     `json:"old,omitempty"`
	Orders      []creds.Order      `json:"orders,omitempty"`
}

// encode returns the content of the file.
func (i issued) encode() ([]byte, error) {
	var content bytes.Buffer
	err := i.write(&content)
	if err == nil && content.Len() > maxIssued {
		err = fmt.Errorf("the credentials take more than %d bytes", maxIssued)
	}
	return content.Bytes(), err
}

// write writes the content of the file. The error does not quote it.
func (i issued) write(to io.Writer) error {
	form := issuedJSON{Credentials: []clear.Credential{}, Old: clear.RevealSecrets(i.old), Orders: i.orders}
	for _, c := range i.set {
		form.Credentials = append(form.Credentials, clear.Reveal(c))
	}
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(form) != nil {
		return errors.New("the credentials cannot be written as JSON")
	}
	return nil
}

// expected is what is still to be written, of content that must be written as it is. Other bytes are an
// error.
type expected []byte

// Write compares p with what is expected.
func (e *expected) Write(p []byte) (int, error) {
	rest, same := bytes.CutPrefix(*e, p)
	if !same {
		return 0, errChanged
	}
	*e = rest
	return len(p), nil
}

// errChanged says that the driver's own copy is not what the driver wrote.
var errChanged = errors.New("the content has changed since the driver wrote it")

// parseIssued reads what encode wrote. Any other content is an error, since only the
// driver writes the file. The error quotes nothing of the content.
func parseIssued(content []byte) (issued, error) {
	var form issuedJSON
	err := json.Unmarshal(content, &form)
	i := form.issued()
	rest := expected(content)
	if err != nil || i.write(&rest) != nil || len(rest) > 0 || len(content) > maxIssued || i.check() != nil {
		return issued{}, errChanged
	}
	return i, nil
}

// issued returns what was issued, with its secrets hidden.
func (form issuedJSON) issued() issued {
	i := issued{old: clear.HideSecrets(form.Old), orders: form.Orders}
	for _, c := range form.Credentials {
		i.set = append(i.set, c.Hide())
	}
	return i
}

// check returns an error if encode must not write what was issued.
func (i issued) check() error {
	return errors.Join(i.set.Check(), creds.CheckSecrets(i.old))
}
