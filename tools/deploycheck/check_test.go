package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// harmed is a copy of deploy/ in which one text is replaced by another.
func harmed(t *testing.T, file, old, now string) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "deploy")
	if err := os.CopyFS(dir, os.DirFS("../../deploy")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, file)
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), old, now, 1)
	if text == string(raw) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatIsWrongIsFound(t *testing.T) {
	schemas := t.TempDir()
	schema := `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["id"],"properties":{"cpus":{"type":"number"}}}`
	if err := os.WriteFile(filepath.Join(schemas, "a.schema.json"), []byte(schema), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, _ := check(t.Context(), "../../deploy", schemas); len(found) > 0 {
		t.Fatalf("deploy/ itself: %v", found)
	}
	for what, harm := range map[string][3]string{
		"not JSON":                        {"marathon/node.json", `"instances": 3,`, `"instances": 3`},
		"against Marathon's schema":       {"marathon/lb.json", `"cpus": 1`, `"cpus": "1"`},
		"within the group":                {"marathon/group.json", `"cpus": 1`, `"cpus": "1"`},
		"a misspelt key of Compose":       {"compose.yaml", "stop_grace_period:", "stop_grace_perod:"},
		"a service that there is not":     {"compose.yaml", "kafka: { condition: service_healthy }", "kafak: { condition: service_healthy }"},
		"a folder that there is not":      {"compose.yaml", "./grafana/dashboards:", "./grafana/dash:"},
		"a port for everybody":            {"compose.yaml", "127.0.0.1:8081:8080", "8081:8080"},
		"an unknown instruction":          {"Dockerfile", "STOPSIGNAL", "STOPSIGNALS"},
		"root":                            {"Dockerfile", "USER 65532:65532", "USER root"},
		"a shell that there is not":       {"Dockerfile", `ENTRYPOINT ["/trackmesh"]`, `ENTRYPOINT /trackmesh`},
		"a rule that is no expression":    {"prometheus/alerts.yml", `up{job="trackmesh"} == 0`, `up{job="trackmesh"} ==`},
		"a misspelt key of a rule":        {"prometheus/alerts.yml", "annotations:", "annotation:"},
		"a misspelt key of Prometheus":    {"prometheus/prometheus.yml", "scrape_interval", "scrape_intervall"},
		"a target that there is not":      {"prometheus/prometheus.yml", "node-3:8080", "node-4:8080"},
		"a panel that is no expression":   {"grafana/dashboards/trackmesh.json", "sum(trackmesh_tracks)", "sum(trackmesh_tracks"},
		"a data source that there is not": {"grafana/dashboards/trackmesh.json", `"uid": "prometheus"`, `"uid": "prom"`},
		"a data source of another name":   {"grafana/provisioning/datasources/prometheus.yml", "uid: prometheus", "uid: prom"},
	} {
		t.Run(what, func(t *testing.T) {
			found, _ := check(t.Context(), harmed(t, harm[0], harm[1], harm[2]), schemas)
			if len(found) == 0 {
				t.Fatalf("%s is not found", what)
			}
			t.Log(found[0])
		})
	}
}
