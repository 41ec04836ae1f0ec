package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
)

// bom is the part of CycloneDX 1.6 that is written.
type bom struct {
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []depends   `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type     string   `json:"type"`
	Ref      string   `json:"bom-ref"`
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	PURL     string   `json:"purl,omitempty"`
	Hashes   []digest `json:"hashes,omitempty"`
	Licences []chosen `json:"licenses,omitempty"`
}

type digest struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type chosen struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

type depends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// writeSBOM describes one program: Go's own library and the modules. The hash of
// a module is that of go.sum, over its files (h1).
func writeSBOM(w io.Writer, program string, modules []module) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	name := filepath.Base(program)
	whole := component{Type: "application", Ref: name, Name: name, Version: info.Main.Version}
	library := component{
		Type: "library", Ref: "std", Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"),
		PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), Licences: licensed("BSD-3-Clause"),
	}
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{whole}, Components: []component{library}}
	all := depends{Ref: name, On: []string{"std"}}
	for _, m := range modules {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.sum, "h1:"))
		if err != nil {
			return err
		}
		purl := "pkg:golang/" + m.String()
		b.Components = append(b.Components, component{
			Type: "library", Ref: purl, Name: m.path, Version: m.version, PURL: purl,
			Hashes: []digest{{"SHA-256", hex.EncodeToString(sum)}}, Licences: licensed(m.licence),
		})
		all.On = append(all.On, purl)
	}
	b.Dependencies = []depends{all}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(b)
}

func licensed(id string) []chosen {
	var c chosen
	c.Licence.ID = id
	return []chosen{c}
}
