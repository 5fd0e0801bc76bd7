package inspect

// Restrain sets the limits of a job on this process.
var Restrain = restrain
