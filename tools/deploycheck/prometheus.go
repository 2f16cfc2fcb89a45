package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// scraping is the part of Prometheus' configuration that ours uses; a field that is not here is an error.
type scraping struct {
	Global struct {
		ScrapeInterval     model.Duration `yaml:"scrape_interval"`
		EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	} `yaml:"global"`
	RuleFiles     []string `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
}

// prometheus reads the configuration, wants its targets to be services of compose.yaml, and parses the rules.
func prometheus(ctx context.Context, dir string) ([]error, string) {
	raw, err := os.ReadFile(filepath.Join(dir, "prometheus", "prometheus.yml"))
	if err != nil {
		return []error{err}, "not read"
	}
	var config scraping
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		return []error{fmt.Errorf("prometheus.yml: %w", err)}, "not read"
	}
	problems := targets(ctx, filepath.Join(dir, "compose.yaml"), config)
	rules := 0
	for _, name := range config.RuleFiles {
		found, n := ruleFile(filepath.Join(dir, "prometheus", name))
		problems, rules = append(problems, found...), rules+n
	}
	return problems, fmt.Sprintf("%d scrapes, %d rules", len(config.ScrapeConfigs), rules)
}

func targets(ctx context.Context, file string, config scraping) (problems []error) {
	project, err := project(ctx, file)
	if err != nil {
		return nil // said by compose
	}
	for _, scrape := range config.ScrapeConfigs {
		for _, static := range scrape.StaticConfigs {
			for _, target := range static.Targets {
				host, _, err := net.SplitHostPort(target)
				if err != nil {
					problems = append(problems, err)
				} else if _, ok := project.Services[host]; !ok {
					problems = append(problems, fmt.Errorf("target %s is no service of compose.yaml", target))
				}
			}
		}
	}
	return problems
}

func ruleFile(file string) ([]error, int) {
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return errs, 0
	}
	var problems []error
	n := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			n++
			if r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				problems = append(problems, fmt.Errorf("%s has no summary or no severity", r.Alert))
			}
		}
	}
	return problems, n
}
