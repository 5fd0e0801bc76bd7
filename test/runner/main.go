// Command gitlab-runner is a real GitLab Runner for the tests: its own source, with the
// commands and executors that the tests reach and no others.
//
// Besides "run" it needs the helper commands, because the scripts that the runner generates
// call them by the name gitlab-runner to move artifacts and caches. The shell and the docker
// executor are there for comparison with the custom one; in the helper image of the docker
// executor this program is gitlab-runner-helper.
//
// Five modules of GitLab's that the runner imports are not public. The folder stubs holds
// their type signatures; no job that has a script reaches them.
package main

import (
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli"

	_ "gitlab.com/gitlab-org/gitlab-runner/cache/s3v2"
	"gitlab.com/gitlab-org/gitlab-runner/commands"
	"gitlab.com/gitlab-org/gitlab-runner/commands/helpers"
	"gitlab.com/gitlab-org/gitlab-runner/common"
	"gitlab.com/gitlab-org/gitlab-runner/executors"
	"gitlab.com/gitlab-org/gitlab-runner/executors/custom"
	"gitlab.com/gitlab-org/gitlab-runner/executors/docker"
	"gitlab.com/gitlab-org/gitlab-runner/executors/shell"
	cli_helpers "gitlab.com/gitlab-org/gitlab-runner/helpers/cli"
	"gitlab.com/gitlab-org/gitlab-runner/log"
	"gitlab.com/gitlab-org/gitlab-runner/network"
	_ "gitlab.com/gitlab-org/gitlab-runner/shells"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		logrus.Fatal(err)
	}
	app := cli.NewApp()
	app.Name = filepath.Base(os.Args[0])
	app.Version = common.AppVersion.ShortLine()
	app.Commands = subcommands(self)
	cli_helpers.InitCli()
	log.ConfigureLogging(app)
	if err := app.Run(os.Args); err != nil {
		logrus.Fatal(err)
	}
}

// subcommands gives the executors the command that a job's scripts call the runner by: as in
// a released runner, that is a path for the shell executor and a name for the custom one.
func subcommands(self string) []cli.Command {
	providers := executors.NewProviderRegistry(map[string]common.ExecutorProvider{
		"custom": custom.NewProvider("gitlab-runner"),
		"shell":  shell.NewProvider(self),
		"docker": docker.NewProvider(),
	})
	requests := network.NewAPIRequestsCollector()
	client := network.NewGitLabClient(
		network.WithAPIRequestsCollector(requests),
		network.WithCertificateDirectory(commands.GetDefaultCertificateDirectory()),
		network.WithExecutorProviderFunc(providers.GetByName),
	)
	return []cli.Command{
		commands.NewRunCommand(client, requests, providers),
		commands.NewRunSingleCommand(client, providers),
		commands.NewVerifyCommand(client),
		commands.NewRegisterCommand(client, providers),
		helpers.NewArtifactsDownloaderCommand(),
		helpers.NewArtifactsUploaderCommand(),
		helpers.NewCacheArchiverCommand(),
		helpers.NewCacheExtractorCommand(),
		helpers.NewCacheInitCommand(),
		helpers.NewHealthCheckCommand(),
		helpers.NewReadLogsCommand(),
	}
}
