package ui

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// lang is a language of the pages, as a BCP 47 tag.
type lang string

const (
	thai    lang = "th"
	english lang = "en"
)

func languages() []lang { return []lang{thai, english} }

// parseLang is false for anything but the two.
func parseLang(s string) (lang, bool) {
	for _, l := range languages() {
		if string(l) == s {
			return l, true
		}
	}
	return "", false
}

// preferred chooses by Accept-Language: the one of the two that it ranks higher.
// Who names neither reads English better than Thai; who names nothing gets Thai.
func preferred(r *http.Request) lang {
	header := r.Header.Get("Accept-Language")
	best, weight := english, 0.0
	for item := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := quality(params)
		if tag == "*" {
			primary = string(thai)
		}
		if l, ok := parseLang(primary); ok && q > weight {
			best, weight = l, q
		}
	}
	if strings.TrimSpace(header) == "" {
		return thai
	}
	return best
}

// quality reads the weight in the parameters of a header's item.
func quality(params string) float64 {
	value, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0
	}
	return q
}

//go:embed messages/*.json
var messageFiles embed.FS

// catalogue has the texts of one language by key. A {name} in a text stands for
// a value.
type catalogue map[string]string

func readCatalogue(l lang) (catalogue, error) {
	data, err := messageFiles.ReadFile("messages/" + string(l) + ".json")
	if err != nil {
		return nil, err
	}
	var c catalogue
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("messages in %s: %w", l, err)
	}
	return c, nil
}

// text returns the message of key with values filled in: name, value, name,
// value … A key that is missing is shown as it is.
func (c catalogue) text(key string, values ...string) string {
	text, ok := c[key]
	if !ok {
		return key
	}
	pairs := make([]string, len(values))
	for i := range values {
		pairs[i] = values[i]
		if i%2 == 0 {
			pairs[i] = "{" + values[i] + "}"
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// seconds rounds up, so that a wait is never told too short.
func seconds(d time.Duration) int {
	return max(0, int((d+time.Second-1)/time.Second))
}
