package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// addressPlace stands for the address in a mailbox's URL.
const addressPlace = "{address}"

// mailboxLooks is how many looks into a mailbox are under way at most: whoever
// waits for mails must not load what brings them.
const mailboxLooks = 32

// JSONMailbox reads mails from a URL that answers JSON.
//
// In an array the newest mail is first, as Matriq's inbox and Mailpit have it. A
// mail is whatever is an object in the outermost array that has strings with the
// reference and a code.
type JSONMailbox struct {
	url    string
	places chan struct{}
	client *http.Client
}

// NewJSONMailbox reads a URL in which {address} stands for the address, such as
// http://127.0.0.1:8025/api/messages?to={address}.
func NewJSONMailbox(template string) (*JSONMailbox, error) {
	u, err := url.Parse(strings.ReplaceAll(template, addressPlace, "a"))
	if err != nil {
		return nil, fmt.Errorf("not a URL: %w", withoutURL(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is not a URL such as http://127.0.0.1:8025/api/messages?to=%s", u.Redacted(), addressPlace)
	}
	if !strings.Contains(template, addressPlace) {
		return nil, fmt.Errorf("%s has no %s, which stands for the address", u.Redacted(), addressPlace)
	}
	return &JSONMailbox{
		url: template, places: make(chan struct{}, mailboxLooks),
		client: &http.Client{Timeout: DefaultTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: mailboxLooks}},
	}, nil
}

// NewInbox reads the inbox of matriq up and matriq inbox at a URL.
func NewInbox(base string) (*JSONMailbox, error) {
	return NewJSONMailbox(strings.TrimRight(base, "/") + "/api/messages?to=" + addressPlace)
}

// Close closes the connections that are kept open.
func (m *JSONMailbox) Close() { m.client.CloseIdleConnections() }

// Code implements [Codes].
func (m *JSONMailbox) Code(ctx context.Context, address, ref string) (string, error) {
	select {
	case m.places <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-m.places }()
	body, err := m.get(ctx, strings.ReplaceAll(m.url, addressPlace, url.QueryEscape(address)))
	if err != nil {
		return "", err
	}
	return codeInJSON(body, ref)
}

func (m *JSONMailbox) get(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the mailbox: %w", withoutURL(err))
	}
	res, err := m.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the mailbox: %w", withoutURL(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the mailbox answered %s", res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, 8*maxBody))
}

// codeInJSON returns the code of the first mail that has ref.
func codeInJSON(body []byte, ref string) (string, error) {
	mails, err := outermostArray(json.NewDecoder(bytes.NewReader(body)))
	if err != nil {
		return "", fmt.Errorf("the mailbox's answer: %w", err)
	}
	for _, mail := range mails {
		texts := stringsOf(mail, nil)
		if ref != "" && !anyContains(texts, ref) {
			continue
		}
		for _, text := range texts {
			if code := FindCode(text); code != "" {
				return code, nil
			}
		}
	}
	return "", nil
}

// outermostArray has the elements of the first array, or the value itself.
func outermostArray(d *json.Decoder) ([]any, error) {
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if object, ok := v.(map[string]any); ok {
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if array, ok := object[key].([]any); ok {
				return array, nil
			}
		}
	}
	if array, ok := v.([]any); ok {
		return array, nil
	}
	return []any{v}, nil
}

// stringsOf appends the strings of a value, those of an object by their names.
func stringsOf(v any, to []string) []string {
	switch v := v.(type) {
	case string:
		to = append(to, v)
	case []any:
		for _, inner := range v {
			to = stringsOf(inner, to)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			to = stringsOf(v[key], to)
		}
	}
	return to
}

func anyContains(texts []string, part string) bool {
	for _, text := range texts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
