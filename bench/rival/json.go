package rival

import (
	"context"
	"encoding/json"
	"errors"
)

// request and reply are bodies as Nameko has them, for a method with one
// argument.
type (
	request struct {
		Args   [1]string `json:"args"`
		Kwargs struct{}  `json:"kwargs"`
	}
	reply struct {
		Result string          `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
)

var errRefused = errors.New("the worker refused")

// CallJSON is [Caller.Call] of a method that takes a text and returns one.
func (c *Caller) CallJSON(ctx context.Context, text string) (string, error) {
	body, err := json.Marshal(request{Args: [1]string{text}})
	if err != nil {
		return "", err
	}
	answer, err := c.Call(ctx, body)
	if err != nil {
		return "", err
	}
	var r reply
	if err := json.Unmarshal(answer, &r); err != nil {
		return "", err
	}
	if string(r.Error) != "null" {
		return "", errRefused
	}
	return r.Result, nil
}

// JSON is the handler of that method: it returns what it got.
func JSON(body []byte) ([]byte, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	return json.Marshal(reply{Result: r.Args[0]})
}
