package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct {
			Name       string
			Datasource struct{ UID string }
		}
	}
	Panels []struct {
		ID         int
		Type       string
		Title      string
		Datasource struct{ UID string }
		Targets    []struct{ Expr string }
	}
}

// grafana parses each dashboard's expressions and wants their data source to be provisioned.
func grafana(dir string) ([]error, string) {
	sources, err := datasources(filepath.Join(dir, "provisioning", "datasources"))
	if err != nil {
		return []error{err}, "not read"
	}
	files, err := filepath.Glob(filepath.Join(dir, "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		return []error{fmt.Errorf("no dashboards (%w)", err)}, "none"
	}
	var problems []error
	n := 0
	for _, file := range files {
		found, expressions := checkDashboard(file, sources)
		for _, err := range found {
			problems = append(problems, fmt.Errorf("%s: %w", filepath.Base(file), err))
		}
		n += expressions
	}
	return problems, fmt.Sprintf("%d dashboards, %d expressions", len(files), n)
}

func datasources(dir string) (map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		return nil, err
	}
	uids := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var provisioned struct {
			Datasources []struct{ UID string }
		}
		if err := yaml.Unmarshal(raw, &provisioned); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, d := range provisioned.Datasources {
			uids[d.UID] = true
		}
	}
	return uids, nil
}

func checkDashboard(file string, sources map[string]bool) (problems []error, expressions int) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return []error{err}, 0
	}
	var d dashboard
	if err := json.Unmarshal(raw, &d); err != nil {
		return []error{err}, 0
	}
	if d.UID == "" || d.Title == "" {
		problems = append(problems, fmt.Errorf("no uid or title"))
	}
	filled := strings.NewReplacer("$__rate_interval", "1m", "$node", ".*")
	promql := parser.NewParser(parser.Options{})
	for _, v := range d.Templating.List {
		if !sources[v.Datasource.UID] {
			problems = append(problems, fmt.Errorf("variable %s: no data source %q is provisioned", v.Name, v.Datasource.UID))
		}
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			problems = append(problems, fmt.Errorf("panel %q: its id is given twice", p.Title))
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if !sources[p.Datasource.UID] {
			problems = append(problems, fmt.Errorf("panel %q: no data source %q is provisioned", p.Title, p.Datasource.UID))
		}
		for _, t := range p.Targets {
			expressions++
			if _, err := promql.ParseExpr(filled.Replace(t.Expr)); err != nil {
				problems = append(problems, fmt.Errorf("panel %q: %w", p.Title, err))
			}
		}
	}
	return problems, expressions
}
