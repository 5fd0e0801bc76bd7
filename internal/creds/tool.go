package creds

// ToolFile is a file in which a tool keeps credentials, and the variable that tells the
// tool another place for it than HOME. The paths are below HOME, or below the job's own
// folder.
type ToolFile struct {
	Variable string // such as AWS_CONFIG_FILE
	Value    string // path that the variable names: the file, or a folder that it is in
	File     string // such as .aws/config
}

// ToolText is a text that a job's own copy of a tool's file ends with, such as a profile. It
// is no secret.
type ToolText struct {
	File string // as ToolFile.File
	Text string
}

// OfHost returns the names of variables by which tools find who they are in a cloud or a store of
// secrets; A_* is all that begin with A_. Those of the runner's service are the host's, and no job's:
// where a job has no identity of its own, the host's would serve.
func OfHost() []string {
	return []string{"VAULT_*", "BAO_*", "GOOGLE_*", "CLOUDSDK_*", "AZURE_*", "ARM_*", "KUBECONFIG", "DOCKER_CONFIG"}
}

// Docker returns the file in which docker login keeps the passwords of registries. Those
// of AWS's registries are made of the job's credentials.
//
// https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties
func Docker() ToolFile { return ToolFile{"DOCKER_CONFIG", ".docker", ".docker/config.json"} }
