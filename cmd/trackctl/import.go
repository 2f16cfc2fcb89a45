package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/trackmesh/trackmesh/client"
)

// shownErrors bounds how many lines' errors are listed for people.
const shownErrors = 50

func (a *app) showImport(raw []byte, wait time.Duration) error {
	var done imported
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	refused := len(done.Errors) + done.Omitted
	a.listLines(done.Errors, done.Omitted)
	err := a.show(answer{raw: raw, table: func(w io.Writer) error {
		state := ""
		switch {
		case done.Stored > 0 && done.Live:
			state = ", live on every partition"
		case done.Stored > 0 && wait > 0:
			state = fmt.Sprintf(", not live on every partition after %s", wait)
		}
		_, err := fmt.Fprintf(w, "%d fences stored%s; %d refused\n", done.Stored, state, refused)
		return err
	}})
	if err == nil && refused > 0 {
		return fmt.Errorf("%d lines were refused", refused)
	}
	return err
}

// importBroke says how far an import came that broke off.
func (a *app) importBroke(err error) error {
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok || problem.Stored == nil {
		return err
	}
	a.listLines(problem.Lines, 0)
	return fmt.Errorf("after %d were stored: %w", *problem.Stored, err)
}

// listLines lists what is wrong with lines, for people.
func (a *app) listLines(lines []client.LineError, omitted int) {
	if a.output != "table" {
		return // the document has them
	}
	for i, e := range lines {
		if i == shownErrors {
			omitted += len(lines) - shownErrors
			break
		}
		a.say("%s\n", plain(e.String()))
	}
	if omitted > 0 {
		a.say("and %d more lines\n", omitted)
	}
}
