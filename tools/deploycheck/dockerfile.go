package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile parses it as BuildKit does, with its checks, and wants a last stage that is not root's and says how it is.
func dockerfile(file string) ([]error, string) {
	f, err := os.Open(file)
	if err != nil {
		return []error{err}, "not read"
	}
	defer func() { _ = f.Close() }() // it was only read
	tree, err := parser.Parse(f)
	if err != nil {
		return []error{err}, "not parsed"
	}
	var problems []error
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, short string, at []parser.Range) {
		line := 0
		if len(at) > 0 {
			line = at[0].Start.Line
		}
		problems = append(problems, fmt.Errorf("line %d: %s: %s", line, rule, short))
	}})
	stages, _, err := instructions.Parse(tree.AST, lint)
	if err != nil {
		return append(problems, err), "not parsed"
	}
	return append(problems, lastStage(stages[len(stages)-1])...), fmt.Sprintf("%d stages", len(stages))
}

func lastStage(stage instructions.Stage) []error {
	var user, checked, exec bool
	for _, c := range stage.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User != "root" && c.User != "0" && !strings.HasPrefix(c.User, "0:")
		case *instructions.HealthCheckCommand:
			checked = len(c.Health.Test) > 1 && c.Health.Test[0] == "CMD"
		case *instructions.EntrypointCommand:
			exec = !c.PrependShell
		}
	}
	var problems []error
	for what, ok := range map[string]bool{"USER is root": user, "no HEALTHCHECK in the form without a shell": checked, "no ENTRYPOINT in the form without a shell": exec} {
		if !ok {
			problems = append(problems, errors.New(what))
		}
	}
	return problems
}
