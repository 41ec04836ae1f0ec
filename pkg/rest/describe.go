package rest

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"matriq/pkg/api/restapi"
)

// description is the head of the OpenAPI document. huma's own pages load from a
// CDN, and its decoding is as lenient as encoding/json: neither is used.
func (a *API) description(about About, version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: about.Title, Description: about.Description, Version: version},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"client": {Type: "http", Scheme: "basic", Description: "The name and password of a client."},
				},
			},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	}
}

// describe begins the description of an operation with what all have.
func (a *API) describe(method string, op Operation) *huma.Operation {
	reasons := slices.Concat(op.Reasons, []string{Unauthenticated, MissingScope, Misdirected, Internal, Unavailable})
	if method == http.MethodPost {
		reasons = append(reasons, BadJSON, DuplicateKey, UnknownField, MissingField, WrongType,
			BodyTooLarge, BodyIncomplete, RequestTimeout, UnsupportedMediaType)
	}
	return &huma.Operation{
		OperationID: op.Name,
		Method:      method,
		Path:        op.Path,
		Summary:     op.Summary,
		Description: strings.TrimSpace(op.Description + "\n\nScope: `" + op.Scope + "`."),
		Parameters:  op.Parameters,
		Responses:   a.problems(reasons),
		Security:    []map[string][]string{{"client": {}}},
	}
}

// problems describes the answers for reasons, by status, with an example each.
func (a *API) problems(reasons []string) map[string]*huma.Response {
	responses := map[string]*huma.Response{}
	schema := schemaOf[restapi.Problem](a)
	for _, reason := range reasons {
		k, ok := kindOf(reason)
		if !ok {
			panic("rest: the reason " + reason + " has no status")
		}
		status := strconv.Itoa(k.status)
		if responses[status] == nil {
			responses[status] = &huma.Response{
				Headers: headers(k.status),
				Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema, Examples: map[string]*huma.Example{}}},
			}
		}
		responses[status].Content["application/problem+json"].Examples[reason] = &huma.Example{Value: example(reason)}
	}
	for _, response := range responses {
		examples := response.Content["application/problem+json"].Examples
		response.Description = "Problems: " + strings.Join(slices.Sorted(maps.Keys(examples)), ", ") + "."
	}
	return responses
}

func example(reason string) restapi.Problem {
	e := Refuse(reason, "")
	if passes(e.Status) {
		e.RetryAfter = defaultRetry
	}
	return e.problem("NRVHQ4TBNRQXK3TT")
}

func headers(status int) map[string]*huma.Param {
	switch {
	case status == http.StatusUnauthorized:
		return map[string]*huma.Param{"WWW-Authenticate": {Schema: &huma.Schema{Type: huma.TypeString}}}
	case passes(status):
		return map[string]*huma.Param{"Retry-After": {
			Description: "seconds to wait, 1 or more", Schema: &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	return nil
}

func schemaOf[T any](a *API) *huma.Schema {
	t := reflect.TypeFor[T]()
	return a.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

func jsonBody[Req any](a *API, example any) *huma.RequestBody {
	return uploadBody([]Format{{MediaType: "application/json", Schema: schemaOf[Req](a), Example: example}})
}

// SchemaOf returns the schema of T for a [Format], as a reference.
func SchemaOf[T any](a *API) *huma.Schema { return schemaOf[T](a) }

func uploadBody(formats []Format) *huma.RequestBody {
	body := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, f := range formats {
		body.Content[f.MediaType] = &huma.MediaType{Schema: f.Schema, Example: f.Example}
	}
	return body
}

func jsonResponse[Reply any](a *API, example any) *huma.Response {
	return &huma.Response{
		Description: fmt.Sprintf("%s.", http.StatusText(http.StatusOK)),
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Reply](a), Example: example}},
	}
}
