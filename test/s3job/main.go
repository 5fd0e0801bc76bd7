// Command s3job is the S3 client of a job in the tests. Like any program that uses the AWS
// SDK it takes credentials and region from its environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
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
  mkbucket BUCKET       make a bucket

Credentials and region come from the environment, and so does the endpoint, from
AWS_ENDPOINT_URL_S3, when -endpoint is absent.`

func main() {
	endpoint := flag.String("endpoint", "", "the `URL` of the S3 server")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
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
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
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
		return list(ctx, client, args[1])
	case command == "mkbucket" && len(args) == 2:
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &args[1]})
		return err
	}
	return fmt.Errorf("bad arguments\n\n%s", usage)
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

func list(ctx context.Context, client *s3.Client, bucket string) error {
	page, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		return err
	}
	for _, object := range page.Contents {
		fmt.Println(aws.ToString(object.Key))
	}
	return nil
}
