package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// getHealth says that the process answers, nothing more: whoever restarts processes on it must not do so for what a restart cannot mend.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]string{"status": "alive", "node": s.opts.Node})
}

func (s *Server) getReady(w http.ResponseWriter, r *http.Request) error {
	state := s.opts.Ready.Ready(r.Context())
	if err := s.opts.Log.Health(); err != nil {
		state.Ready = false
		state.Reasons = append(state.Reasons, "the log: "+err.Error())
	}
	if state.Reasons == nil {
		state.Reasons = []string{}
	}
	if state.Warnings == nil {
		state.Warnings = []string{}
	}
	code := http.StatusOK
	if !state.Ready {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, code, state)
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.opts.Gatherer, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	return nil
}

func (s *Server) getCluster(w http.ResponseWriter, r *http.Request) error {
	state, err := s.opts.Cluster.State(r.Context())
	if err != nil {
		return err
	}
	state.fillEmpty()
	return writeJSON(w, http.StatusOK, state)
}

// fillEmpty makes absent lists empty ones: null is no list.
func (c *ClusterState) fillEmpty() {
	if c.Members == nil {
		c.Members = []ClusterMember{}
	}
	if c.Partitions == nil {
		c.Partitions = []ClusterPart{}
	}
	if c.Sinks == nil {
		c.Sinks = []ClusterSink{}
	}
	if c.Moves == nil {
		c.Moves = []ClusterMove{}
	}
}
