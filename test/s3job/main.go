// Command s3job is the S3 client of a job in the tests. Like any program that uses the AWS
// SDK it takes credentials and region from its environment.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

const usage = `usage: s3job [-endpoint URL] COMMAND

  put BUCKET KEY TEXT   write an object
  get BUCKET KEY        print an object
  presign BUCKET KEY    print a URL that gives an object to whoever has it
  ls BUCKET             print the keys of a bucket, one a line
  use BUCKET            print a hash of the access key id, then the keys of a bucket
  mkbucket BUCKET       make a bucket
  watch BUCKET SECONDS  list a bucket once a second, and print a hash of each access key id

Credentials and region come from the environment, and so does the endpoint, from
AWS_ENDPOINT_URL_S3, when -endpoint is absent.`

func main() {
	endpoint := flag.String("endpoint", "", "the `URL` of the S3 server")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := run(ctx, *endpoint, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "s3job:", describe(err))
		os.Exit(1)
	}
}

// describe puts S3's error code first, without the SDK's account of its attempts.
func describe(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}

func run(ctx context.Context, endpoint string, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("bad arguments\n\n%s", usage)
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1), config.WithCredentialsCacheOptions(askAgain))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	switch command := args[0]; {
	case command == "put" && len(args) == 4:
		return put(ctx, client, args[1], args[2], args[3])
	case command == "get" && len(args) == 3:
		return get(ctx, client, args[1], args[2])
	case command == "presign" && len(args) == 3:
		return presign(ctx, client, args[1], args[2])
	case command == "ls" && len(args) == 2:
		return list(ctx, client, args[1], os.Stdout)
	case command == "use" && len(args) == 2:
		return use(ctx, cfg, client, args[1])
	case command == "watch" && len(args) == 3:
		return watch(ctx, cfg, client, args[1], args[2])
	case command == "mkbucket" && len(args) == 2:
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &args[1]})
		return err
	}
	return fmt.Errorf("bad arguments\n\n%s", usage)
}

// askAgain lets the SDK ask for new credentials as early as botocore does.
func askAgain(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 15 * time.Minute }

// watch calls S3 once a second. Whenever the credentials have changed it prints a line.
func watch(ctx context.Context, cfg aws.Config, client *s3.Client, bucket, seconds string) error {
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	last := ""
	for range n {
		if err := list(ctx, client, bucket, io.Discard); err != nil {
			return err
		}
		c, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		if c.AccessKeyID != last {
			fmt.Printf("key %x of %s\n", sha256.Sum256([]byte(c.AccessKeyID)), c.Source)
			last = c.AccessKeyID
		}
		time.Sleep(time.Second)
	}
	return nil
}

// use prints a hash of the access key id, then the keys of a bucket.
func use(ctx context.Context, cfg aws.Config, client *s3.Client, bucket string) error {
	c, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("key %x\n", sha256.Sum256([]byte(c.AccessKeyID)))
	return list(ctx, client, bucket, os.Stdout)
}

func put(ctx context.Context, client *s3.Client, bucket, key, text string) error {
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket,
		Key:    &key,
		Body:   strings.NewReader(text),
	})
	return err
}

func presign(ctx context.Context, client *s3.Client, bucket, key string) error {
	request, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	_, err = fmt.Println(request.URL)
	return err
}

func get(ctx context.Context, client *s3.Client, bucket, key string) error {
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer object.Body.Close()
	_, err = io.Copy(os.Stdout, object.Body)
	return err
}

func list(ctx context.Context, client *s3.Client, bucket string, out io.Writer) error {
	page, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		return err
	}
	for _, object := range page.Contents {
		if _, err := fmt.Fprintln(out, aws.ToString(object.Key)); err != nil {
			return err
		}
	}
	return nil
}
