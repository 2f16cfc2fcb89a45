package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// marathon validates each app definition, and each app of the group, against every schema of the folder.
func marathon(dir, schemas string) ([]error, string) {
	apps, err := definitions(dir)
	if err != nil {
		return []error{err}, "not read"
	}
	files, err := filepath.Glob(filepath.Join(schemas, "*.schema.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Sprintf("%d app definitions are JSON; no schemas in %s to validate them against", len(apps), schemas)
	}
	var problems []error
	for _, file := range files {
		schema, err := compiled(file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for name, app := range apps {
			if err := schema.Validate(app); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return problems, fmt.Sprintf("%d app definitions, %d schemas", len(apps), len(files))
}

// definitions are all apps, by file and id.
func definitions(dir string) (map[string]any, error) {
	apps := map[string]any{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".json" {
			return err
		}
		value, err := readJSON(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		object, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: not an object", name)
		}
		members, isGroup := object["apps"].([]any)
		if !isGroup {
			apps[name] = value
			return nil
		}
		for i, app := range members {
			apps[fmt.Sprintf("%s, app %d", name, i)] = app
		}
		return nil
	})
	return apps, err
}

func readJSON(file string) (any, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	value, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return value, nil
}

func compiled(file string) (*jsonschema.Schema, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return schema, nil
}
