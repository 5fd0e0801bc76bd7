package fault

// Code is the kind of an error, as the job log, the audit log and the journal show it: RC
// and three digits, the first of which says who must act. A code keeps its meaning in all
// versions. The page docs/errors.md has an entry for each, and a test holds that.
type Code string

// The codes of the job's author.
const (
	NoToken          Code = "RC101" // the job has no ID token
	ForeignToken     Code = "RC102" // a token is not an ID token of this job
	Refused          Code = "RC103" // a rule of the tenant refuses the job
	NoTenant         Code = "RC104" // no tenant, or more than one, can be chosen
	BadVariable      Code = "RC105" // a variable of the job has a wrong value, or is missing
	Override         Code = "RC106" // variables of the job would win over its credentials
	CredentialsGone  Code = "RC107" // a script has removed or changed the credentials
	SecretInUpload   Code = "RC108" // a secret is in what would be uploaded
	UploadUnsearched Code = "RC109" // what would be uploaded cannot be searched
	UnusedServices   Code = "RC110" // the job has services, which the runner does not start
	BadImage         Code = "RC111" // what the job says of an image or a service is wrong
	ImageRefused     Code = "RC112" // a rule of the policy file refuses an image or a service of the job
	Steps            Code = "RC113" // the job has run:, steps of GitLab, in the place of a script
	NotHandedOver    Code = "RC114" // the job expects values that no job has handed over to it
	BadHandover      Code = "RC115" // what the job wants to hand over to later jobs is wrong
	ImageDenied      Code = "RC121" // a registry does not give the job an image
	NoImage          Code = "RC122" // a registry does not have an image
	UnfitImage       Code = "RC123" // what a registry has is no image that can be run here
	ImageFails       Code = "RC131" // a container of an image does not start as it must
	ImageAbsent      Code = "RC132" // the image is not on the host, and may not be pulled
)

// The codes of the owner of a cloud account.
const (
	TokenRejected Code = "RC201" // AWS does not accept the ID token
	AccessDenied  Code = "RC203" // the role's trust policy does not allow the job
	RequestDenied Code = "RC204" // AWS refuses the request for another reason
	RegionOff     Code = "RC205" // STS is not active in a region

	SourceRejected Code = "RC211" // the server of a source does not accept the ID token
	SourceDenied   Code = "RC213" // the server of a source does not allow the job what its tenant gives
	StoreDenied    Code = "RC221" // the store of handed-over values refuses a job
)

// The codes of the runner's admin.
const (
	BadFlags      Code = "RC301" // the command line of a stage is wrong
	StagesDiffer  Code = "RC302" // stages of a job were started with different flags
	BadPolicy     Code = "RC303" // the policy file, or a file that it names, cannot be used
	NoPolicy      Code = "RC304" // there is no policy file
	RootScripts   Code = "RC305" // scripts would run as root
	BadUser       Code = "RC306" // a unix user cannot run jobs
	StartupFile   Code = "RC307" // a startup file of a login shell ended the script
	BadAuditLog   Code = "RC308" // the audit log cannot be written
	BadServer     Code = "RC309" // the settings of STS are wrong
	BadIssuer     Code = "RC310" // the settings of the issuer's keys are wrong
	Programs      Code = "RC311" // programs of different versions, or a program is missing
	LeftBehind    Code = "RC312" // something of a job cannot be removed
	PolicyRefused Code = "RC313" // AWS does not accept a session policy of the policy file
	BadLedger     Code = "RC314" // the list of what was issued on the host cannot be read
	BadHome       Code = "RC315" // a folder of the job's user, or what it is a copy of, cannot be used
	RootContainer Code = "RC316" // a job has no unix user, and its containers need one
	BadRegistry   Code = "RC321" // the settings of registries are wrong
	NoContainers  Code = "RC331" // the host cannot run containers
	BadSource     Code = "RC341" // the settings of a source, its helper, or what its server has for it are wrong
	Suspended     Code = "RC351" // an admin has suspended the tenant of the job
	BadSuspension Code = "RC352" // the file that says which tenants are suspended cannot be used
	BadStore      Code = "RC361" // the settings of the store of handed-over values are wrong
)

// The codes of infrastructure.
const (
	Unexpected  Code = "RC500" // anything else
	Shortage    Code = "RC501" // the host has no room, descriptors or memory
	NoAnswer    Code = "RC502" // STS does not answer
	NoKeys      Code = "RC503" // the issuer's keys cannot be fetched
	Clock       Code = "RC504" // the clock of the host is wrong
	LogLocked   Code = "RC505" // the audit log is locked by another process
	Interrupted Code = "RC506" // the runner has died or has stopped the stage, or the job has ended meanwhile
	Crashed     Code = "RC507" // the Go runtime has ended a program; package crash prints it
	TooMany     Code = "RC508" // the jobs of a tenant and project ask for too many credentials
	NoRegistry  Code = "RC521" // a registry does not answer
	Engine      Code = "RC531" // the container engine has failed
	NoSource    Code = "RC541" // the server or the helper of a source does not answer
	NotRevoked  Code = "RC542" // a credential could not be revoked when its job ended
	NoStore     Code = "RC551" // the store of handed-over values does not answer, or the job's session for it is over
)

// Side returns who must act on errors of that code.
func (c Code) Side() Side {
	if len(c) > 2 {
		switch c[2] {
		case '1':
			return Author
		case '2':
			return Account
		case '3':
			return Admin
		}
	}
	return Infrastructure
}
