// Command vault is a real Vault server for the tests: Vault's own core, HTTP API and storage in
// files, with the engines that the tests reach and no others. Flags say what the configuration
// file of a released Vault says. The server starts sealed, as any Vault does: sys/init and
// sys/unseal initialize and unseal it.
//
// Vault has the Business Source License 1.1. This program is a part of the tests, and no
// program of the driver links it or is shipped with it.
//
// Vault itself is built with a version of its module sdk that is not public, between v0.20.0 and
// v0.24.0; all that is linked here fits v0.20.0. Vault's own main would also link every engine,
// storage and cloud, and takes four times as long to build. The folder stubs has the types of the
// largest module, by which members of a cluster find each other in clouds.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/logical/database"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8200", "where it answers")
	data := flag.String("data", "", "folder of its storage")
	certificate := flag.String("cert", "", "file of a certificate; empty: it speaks http")
	key := flag.String("key", "", "file of the key of the certificate")
	flag.Parse()
	core, err := open(*data)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:              *listen,
		Handler:           vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	if *certificate != "" {
		log.Fatal(server.ListenAndServeTLS(*certificate, *key))
	}
	log.Fatal(server.ListenAndServe())
}

// open opens the storage in a folder, and makes it where there is none.
func open(folder string) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Info})
	storage, err := file.NewFileBackend(map[string]string{"path": folder}, logger)
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		StorageType:        "file",
		DisableMlock:       true,
		Logger:             logger,
		BuiltinRegistry:    builtins{},
		CredentialBackends: map[string]logical.Factory{"jwt": jwt.Factory},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory, "database": database.Factory},
	})
}
