// Package api is the HTTP side of a node: REST and GeoJSON, server-sent events, the live map's WebSocket, ingest, health,
// metrics, the OpenAPI description, and the web assets, all on one port.
//
// It owns the outside form of everything: paths, parameters, problem documents, roles, limits. It refuses to know how tracks,
// fences or the log work: what it asks of them is in deps.go, and internal/node joins the ends. openapi.yaml describes
// every route; a test holds the two together.
//
// internal/node makes a Server, gives it a listener, and stops it. Streams (SSE, WebSocket) have one goroutine each, which end
// with their client or with Stop; a shared reader of the events and the live map's clock run while somebody listens. A
// part that cannot answer becomes a problem document; an answer that some partitions are missing from says which.
package api
