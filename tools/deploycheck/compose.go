package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads the file as docker compose does: schema, anchors, dependencies, volumes.
func compose(ctx context.Context, file string) ([]error, string) {
	project, err := project(ctx, file)
	if err != nil {
		return []error{err}, "not loaded"
	}
	var problems []error
	for _, s := range project.Services {
		problems = append(problems, mounts(s)...)
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				problems = append(problems, fmt.Errorf("service %s: port %s is open beyond this machine, and nothing asks for a password", s.Name, p.Published))
			}
		}
		if s.Build != nil {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				problems = append(problems, fmt.Errorf("service %s: %w", s.Name, err))
			}
		}
		if s.Build == nil && s.Image != "trackmesh" && !strings.Contains(s.Image, ":") {
			problems = append(problems, fmt.Errorf("service %s: image %s has no version", s.Name, s.Image))
		}
	}
	return problems, fmt.Sprintf("%d services", len(project.Services))
}

func project(ctx context.Context, file string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithResolvedPaths(true), cli.WithConsistency(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// mounts are of files that there are.
func mounts(s types.ServiceConfig) (problems []error) {
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		if _, err := os.Stat(v.Source); err != nil {
			problems = append(problems, fmt.Errorf("service %s: %w", s.Name, err))
		}
	}
	return problems
}
