// Package bucket keeps what jobs hand over in S3, or in a store that speaks like it. It asks with
// the session of the job's tenant, and with nothing else that the host has.
package bucket

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/httpguard"
)

// attempt bounds how long one request may take.
const attempt = 8 * time.Second

// maxAnswer bounds an answer, in bytes: a list has up to 1,000 names.
const maxAnswer = 4 << 20

// Folder is a folder of a bucket.
type Folder struct {
	client *s3.Client
	guard  *httpguard.Guard
	store  handover.Settings
	path   string    // from the top of the bucket, with a slash at its end
	ends   time.Time // when the session is over
	close  func()    // closes the connections that are not in use
}

// Open returns the folder with a path below the prefix of an order's bucket. Nothing is asked yet.
func Open(o errand.Order, path string, caBundle []byte) (*Folder, error) {
	var session creds.Credential
	if o.Session != nil {
		session = *o.Session
	}
	keys, err := aws.KeysOf(session)
	if err != nil {
		return nil, fault.New(fault.BadStore, errors.New("the job has no session of AWS for the bucket"), "the tenant needs a role_arn or a source of AWS; name the source in its table handover")
	}
	store := o.Settings
	store.Region = cmp.Or(store.Region, session.Facts.Get(aws.RegionFact))
	transport, err := transport(caBundle)
	if err != nil {
		return nil, err
	}
	f := &Folder{guard: httpguard.New(transport, attempt).Bound(maxAnswer), store: store, path: path + "/", ends: keys.Expires, close: transport.CloseIdleConnections}
	if store.Prefix != "" {
		f.path = store.Prefix + "/" + f.path
	}
	f.client = s3.New(f.options(keys))
	return f, nil
}

// options are the settings of the SDK: all of them come from here, and none from the environment or
// from files. The seal finds what a checksum would find, and not every store knows checksums.
func (f *Folder) options(k aws.Keys) s3.Options {
	o := s3.Options{
		Region:                     f.store.Region,
		HTTPClient:                 f.guard.Client(),
		Retryer:                    retryer(),
		RequestChecksumCalculation: sdk.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: sdk.ResponseChecksumValidationWhenRequired,
		Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
			return sdk.Credentials{AccessKeyID: k.AccessKeyID.Reveal(), SecretAccessKey: k.SecretAccessKey.Reveal(), SessionToken: k.SessionToken.Reveal()}, nil
		}),
	}
	if f.store.Endpoint != "" {
		o.BaseEndpoint, o.UsePathStyle = sdk.String(f.store.Endpoint), true
	}
	return o
}

// Put writes an object. It fails with shelf.ErrThere if there is one of that name already.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (f *Folder) Put(ctx context.Context, name string, content []byte) error {
	_, err := f.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &f.store.Bucket, Key: sdk.String(f.path + name), Body: bytes.NewReader(content),
		IfNoneMatch: sdk.String("*"), ContentType: sdk.String("application/json"),
	})
	return f.explain(err)
}

// List returns the objects in the folder, the first shelf.MaxListed and one more.
func (f *Folder) List(ctx context.Context) ([]shelf.Entry, error) {
	var all []shelf.Entry
	pages := s3.NewListObjectsV2Paginator(f.client, &s3.ListObjectsV2Input{Bucket: &f.store.Bucket, Prefix: &f.path, EncodingType: "url"})
	for pages.HasMorePages() && len(all) <= shelf.MaxListed {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, f.explain(err)
		}
		for _, o := range page.Contents {
			all = append(all, shelf.Entry{Name: f.nameOf(sdk.ToString(o.Key)), Size: sdk.ToInt64(o.Size)})
		}
	}
	return all, nil
}

// nameOf returns the name in the folder of a key, as a list has it: a name may have anything in it.
func (f *Folder) nameOf(key string) string {
	if plain, err := url.QueryUnescape(key); err == nil {
		key = plain
	}
	return strings.TrimPrefix(key, f.path)
}

// Get returns an object. It fails with shelf.ErrGone if there is none.
func (f *Folder) Get(ctx context.Context, name string) ([]byte, error) {
	out, err := f.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &f.store.Bucket, Key: sdk.String(f.path + name)})
	if err != nil {
		return nil, f.explain(err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(io.LimitReader(out.Body, shelf.MaxObject+1))
	return content, f.explain(err)
}

// Close closes the connections that are not in use.
func (f *Folder) Close(context.Context) error {
	f.close()
	return nil
}
