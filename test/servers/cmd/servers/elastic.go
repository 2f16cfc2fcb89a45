//go:build real

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/trackmesh/trackmesh/test/servers"
)

func elasticsearch(ctx context.Context, _ string) (string, func(), error) {
	e, err := servers.StartElasticsearch(ctx, servers.ElasticsearchOptions{})
	if err != nil {
		return "", nil, err
	}
	return "--elasticsearch-urls " + e.URL, func() {
		e.Stop()
		if err := e.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}, nil
}
