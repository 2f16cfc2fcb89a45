package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("deploy", "../../deploy", "the folder to check")
	schemas := flag.String("marathon-schemas", "../../../shared/marathon", "a folder with Marathon's schemas; not there: app definitions are not validated against them")
	flag.Parse()
	problems, said := check(context.Background(), *dir, *schemas)
	for _, s := range said {
		fmt.Fprintln(os.Stdout, s)
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check returns what is wrong, and what was checked.
func check(ctx context.Context, dir, schemas string) (problems []error, said []string) {
	for _, part := range []struct {
		what string
		run  func() ([]error, string)
	}{
		{"marathon", func() ([]error, string) { return marathon(filepath.Join(dir, "marathon"), schemas) }},
		{"compose.yaml", func() ([]error, string) { return compose(ctx, filepath.Join(dir, "compose.yaml")) }},
		{"Dockerfile", func() ([]error, string) { return dockerfile(filepath.Join(dir, "Dockerfile")) }},
		{"prometheus", func() ([]error, string) { return prometheus(ctx, dir) }},
		{"grafana", func() ([]error, string) { return grafana(filepath.Join(dir, "grafana")) }},
	} {
		found, checked := part.run()
		for _, err := range found {
			problems = append(problems, fmt.Errorf("%s: %w", part.what, err))
		}
		said = append(said, part.what+": "+checked)
	}
	return problems, said
}
