// The S3 client of a job in the tests, with the AWS SDK for JavaScript. It takes credentials,
// region and endpoint from its environment, prints a hash of the access key id, and then the
// keys of the bucket that its argument names.
const { createHash } = require("node:crypto");
const { ListObjectsV2Command, S3Client } = require("@aws-sdk/client-s3");

async function main(bucket) {
  const client = new S3Client({ forcePathStyle: true });
  const { accessKeyId } = await client.config.credentials();
  console.log("key", createHash("sha256").update(accessKeyId).digest("hex"));
  const page = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  for (const { Key } of page.Contents ?? []) console.log(Key);
}

main(process.argv[2]).catch((error) => {
  console.error(`s3.js: ${error}`);
  process.exitCode = 1;
});
