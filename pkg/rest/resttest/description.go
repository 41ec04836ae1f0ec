// Package resttest has the checks that every gateway's tests make.
package resttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// document is what Description looks at.
type document struct {
	OpenAPI string                          `json:"openapi"`
	Info    struct{ Title, Version string } `json:"info"`
	Paths   map[string]map[string]operation `json:"paths"`
	Schemas struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
		Schemes map[string]json.RawMessage `json:"securitySchemes"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Parameters  []json.RawMessage     `json:"parameters"`
	Security    []map[string][]string `json:"security"`
	RequestBody *content              `json:"requestBody"`
	Responses   map[string]content    `json:"responses"`
}

type content struct {
	Description string               `json:"description"`
	Content     map[string]mediaType `json:"content"`
}

type mediaType struct {
	Schema   json.RawMessage                `json:"schema"`
	Example  any                            `json:"example"`
	Examples map[string]struct{ Value any } `json:"examples"`
}

// Description checks what h serves as /openapi.json without a credential: it is
// OpenAPI 3.1, has exactly the paths with their methods, every reference leads
// somewhere, every operation asks for a client and tells its problems, and every
// example is valid under its schema.
func Description(t *testing.T, h http.Handler, paths map[string]string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("/openapi.json = %d %s", w.Code, w.Header().Get("Content-Type"))
	}
	var doc document
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" {
		t.Errorf("head = %s %+v", doc.OpenAPI, doc.Info)
	}
	references(t, w.Body.Bytes(), doc)
	if len(doc.Paths) != len(paths) {
		t.Errorf("%d paths are described, want %d", len(doc.Paths), len(paths))
	}
	schemas := registry(t, doc)
	for path, method := range paths {
		op, ok := doc.Paths[path][method]
		if !ok || len(doc.Paths[path]) != 1 {
			t.Errorf("%s has %v, want %s alone", path, doc.Paths[path], method)
			continue
		}
		op.check(t, path, schemas)
	}
}

func (op operation) check(t *testing.T, path string, schemas huma.Registry) {
	t.Helper()
	if op.OperationID == "" || len(op.Security) != 1 {
		t.Errorf("%s: ID %q, security %v", path, op.OperationID, op.Security)
	}
	if got, want := strings.Count(path, "{"), len(op.Parameters); got > want {
		t.Errorf("%s describes %d parameters", path, want)
	}
	if op.RequestBody != nil {
		op.RequestBody.check(t, path, schemas)
	}
	for _, status := range []string{"200", "401", "403", "500", "503"} {
		if _, ok := op.Responses[status]; !ok {
			t.Errorf("%s does not tell of %s", path, status)
		}
	}
	for status, response := range op.Responses {
		if response.Description == "" {
			t.Errorf("%s %s has no description", path, status)
		}
		if _, ok := response.Content["application/problem+json"]; ok != (status != "200") {
			t.Errorf("%s %s: a problem: %v", path, status, ok)
		}
		response.check(t, path+" "+status, schemas)
	}
}

func (c content) check(t *testing.T, where string, schemas huma.Registry) {
	t.Helper()
	for name, media := range c.Content {
		if media.Schema == nil {
			continue
		}
		schema := parse(t, media.Schema)
		examples := map[string]any{}
		if media.Example != nil {
			examples["example"] = media.Example
		}
		for name, e := range media.Examples {
			examples[name] = e.Value
		}
		for example, value := range examples {
			var result huma.ValidateResult
			huma.Validate(schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, &result)
			for _, err := range result.Errors {
				t.Errorf("%s, %s, %s: %v", where, name, example, err)
			}
		}
	}
}

// references fails for every $ref that leads nowhere.
func references(t *testing.T, body []byte, doc document) {
	t.Helper()
	const prefix = `"$ref": "#/components/schemas/`
	parts := strings.Split(string(body), prefix)
	if len(parts) < 2 {
		t.Error("nothing refers to a schema")
	}
	for _, part := range parts[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if _, ok := doc.Schemas.Schemas[name]; !ok {
			t.Errorf("there is no schema %s", name)
		}
	}
	if strings.Count(string(body), `"$ref"`) != len(parts)-1 {
		t.Error("a reference leads out of the document")
	}
}

// registry rebuilds the schemas from what was served.
func registry(t *testing.T, doc document) huma.Registry {
	t.Helper()
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	for name, raw := range doc.Schemas.Schemas {
		r.Map()[name] = parse(t, raw)
	}
	return r
}

// parse reads a schema in the words that huma writes and does not read.
func parse(t *testing.T, raw json.RawMessage) *huma.Schema {
	t.Helper()
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	rewrite(tree)
	rewritten, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	schema := new(huma.Schema)
	if err := json.Unmarshal(rewritten, schema); err != nil {
		t.Fatalf("%s: %v", rewritten, err)
	}
	schema.PrecomputeMessages()
	return schema
}

// rewrite turns "$ref" into Ref, and a list of a type and null into a nullable
// type.
func rewrite(tree any) {
	object, ok := tree.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := object["$ref"]; ok {
		object["Ref"] = ref
	}
	if types, ok := object["type"].([]any); ok {
		object["type"], object["Nullable"] = types[0], true
	}
	for _, value := range object {
		rewrite(value)
	}
}
