package handover

import (
	"slices"
	"time"
)

// The stores, by their names in a policy file.
const (
	Local = "local" // memory of this host
	S3    = "s3"    // a bucket of AWS S3, or of a server that speaks its protocol
	Vault = "vault" // the KV version 2 of a Vault or OpenBao
)

// Settings say how a tenant's jobs hand over values. They hold no secret.
type Settings struct {
	Store  string        `json:"store,omitempty"` // empty: jobs hand over nothing
	MaxAge time.Duration `json:"max_age,omitempty"`

	SealKeyFiles []string `json:"seal_key_files,omitempty"` // the newest first; the first one seals, and all open

	// Source is the name of the tenant's source whose credentials reach the store; empty for
	// the tenant's own.
	Source string `json:"source,omitempty"`

	Bucket   string `json:"bucket,omitempty"`
	Prefix   string `json:"prefix,omitempty"`    // of the keys of objects in the bucket
	Region   string `json:"region,omitempty"`    // of the bucket; empty: the region of the credentials
	Endpoint string `json:"endpoint,omitempty"`  // URL of the server; empty: that of AWS
	CABundle string `json:"ca_bundle,omitempty"` // file; empty: the authorities that the host trusts

	Path string `json:"path,omitempty"` // of data in Vault, such as secret/data/rolecall

	// Off is why a tenant's jobs hand over nothing although the policy file has a store; it is
	// empty where they do.
	Off string `json:"-"`
}

// Provider returns the name of the provider whose credentials reach the store; it is empty if the
// store needs none.
func (s Settings) Provider() string { return map[string]string{S3: "aws", Vault: "vault"}[s.Store] }

// On reports whether jobs hand over values.
func (s Settings) On() bool { return s.Store != "" && s.Off == "" }

// Clone returns a copy that shares nothing with s.
func (s Settings) Clone() Settings {
	s.SealKeyFiles = slices.Clone(s.SealKeyFiles)
	return s
}
