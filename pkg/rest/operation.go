package rest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"matriq/pkg/admission"
)

// Operation declares one call of an API.
type Operation struct {
	// Path is the route, without a slash at its end.
	Path string
	// Name is the operation's ID in the description.
	Name    string
	Summary string
	// Description says what the summary leaves open, in CommonMark.
	Description string
	// Scope is what the client must have.
	Scope string
	// Gate lets calls in, or turns them away with 503 before anything is asked of a
	// worker. Those of an operation that goes on with what another began are let in
	// whatever there is. Nil: there is no gate.
	Gate *admission.Gate
	GoOn bool
	// Parameters are those outside the body.
	Parameters []*huma.Param
	// Reasons are those of its problems that not every operation has.
	Reasons []string
	// Request and Reply are examples.
	Request any
	Reply   any
}

// Post adds a call with a small JSON body. Req is a struct of strings.
func Post[Req, Reply any](a *API, op Operation, fn func(*http.Request, Req) (Reply, error)) {
	mustBeFlat(reflect.TypeFor[Req]())
	d := a.describe(http.MethodPost, op)
	d.RequestBody = jsonBody[Req](a, op.Request)
	serve(a, op, d, func(w http.ResponseWriter, r *http.Request) (Reply, error) {
		var req Req
		if err := readJSON(w, r, a.cfg.MaxBody, &req); err != nil {
			var none Reply
			return none, err
		}
		return pass(op, r, req, fn)
	})
}

// pass calls fn through the gate. The body is there by then: who sends it slowly
// must not keep others out.
func pass[Req, Reply any](op Operation, r *http.Request, req Req, fn func(*http.Request, Req) (Reply, error)) (reply Reply, err error) {
	if op.Gate == nil {
		return fn(r, req)
	}
	step, err := op.enter()
	if err != nil {
		return reply, err
	}
	served := false
	defer func() { step.End(served) }()
	reply, err = fn(r, req)
	served = err == nil || AsError(err).Status < http.StatusInternalServerError
	return reply, err
}

func (op Operation) enter() (admission.Step, error) {
	if op.GoOn {
		return op.Gate.Later(), nil
	}
	return op.Gate.First()
}

// Get adds a call that changes nothing. HEAD is served with it.
func Get[Reply any](a *API, op Operation, fn func(*http.Request) (Reply, error)) {
	serve(a, op, a.describe(http.MethodGet, op), func(_ http.ResponseWriter, r *http.Request) (Reply, error) {
		return fn(r)
	})
}

// Format is one type of body that an [Upload] takes.
type Format struct {
	MediaType string
	Schema    *huma.Schema
	Example   any
}

// Upload adds a call whose body is read by fn as it arrives: of any length up to
// limit, as long as it keeps arriving. fn gets the media type of the body.
// Reading fails with an [*Error] that fn may return.
func Upload[Reply any](a *API, op Operation, limit int64, formats []Format, fn func(r *http.Request, mediaType string) (Reply, error)) {
	d := a.describe(http.MethodPost, op)
	d.RequestBody = uploadBody(formats)
	var types []string
	for _, f := range formats {
		types = append(types, f.MediaType)
	}
	serve(a, op, d, func(w http.ResponseWriter, r *http.Request) (reply Reply, err error) {
		given, err := mediaType(r, types...)
		if err != nil {
			return reply, err
		}
		if r.ContentLength > limit {
			return reply, tooLargeError(limit)
		}
		conn := http.NewResponseController(w)
		r.Body = &upload{body: http.MaxBytesReader(w, r.Body, limit), conn: conn, limit: limit}
		reply, failure := fn(r, given)
		if err := patience(conn.SetWriteDeadline, uploadPatience); err != nil {
			return reply, err
		}
		return reply, failure
	})
}

// serve adds the route and the description of an operation.
func serve[Reply any](a *API, op Operation, d *huma.Operation, fn func(http.ResponseWriter, *http.Request) (Reply, error)) {
	d.Responses["200"] = jsonResponse[Reply](a, op.Reply)
	a.huma.OpenAPI().AddOperation(d)
	a.huma.Adapter().Handle(d, func(hc huma.Context) {
		r, w := humachi.Unwrap(hc)
		if err := answer(a, w, r, op.Scope, fn); err != nil {
			a.fail(w, r, err)
		}
	})
}

func answer[Reply any](a *API, w http.ResponseWriter, r *http.Request, scope string, fn func(http.ResponseWriter, *http.Request) (Reply, error)) error {
	r, err := a.cfg.Clients.authorize(r, scope)
	if err != nil {
		return err
	}
	reply, err := fn(w, r)
	if err != nil {
		return err
	}
	body, err := json.Marshal(reply)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, string(body)+"\n") //nolint:errcheck,gosec // the client has gone: nobody is left to be told
	return nil
}
