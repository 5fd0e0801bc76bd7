// Package decisions holds the programs to one decision: for jobs and policy files that
// are made at random, the stages config and prepare and rolecall explain must agree.
package decisions
