// Supply tells what the programs are made of, from the programs themselves: the
// build information that the linker puts into each, and the licence file that
// each module has in the module cache.
//
//	go run -C tools/supply . sbom PROGRAM > FILE       what is in it, as CycloneDX 1.6 in JSON
//	go run -C tools/supply . licences PROGRAM...       all modules with their licences
//	go run -C tools/supply . withdrawn PROGRAM...      those that their authors took back
//
// A licence is known by the words that its text must have; one that is not known
// is a failure, so that somebody looks at it.
package main

import (
	"bufio"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "supply:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: supply sbom|licences|withdrawn PROGRAM [PROGRAM]")

func run(w io.Writer, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	modules, err := modulesOf(args[1:])
	if err != nil {
		return err
	}
	switch args[0] {
	case "sbom":
		return writeSBOM(w, args[1], modules)
	case "licences":
		return writeLicences(w, modules)
	case "withdrawn":
		return writeWithdrawn(w, modules)
	}
	return errUsage
}

// module is one that is linked into a program, with the checksum of go.sum.
type module struct{ path, version, sum, licence string }

func (m module) String() string { return m.path + "@" + m.version }

// modulesOf returns the modules of others in the programs, each once.
func modulesOf(programs []string) ([]module, error) {
	found := map[string]module{}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, err
		}
		for _, dep := range info.Deps {
			m := moduleOf(dep)
			if strings.HasPrefix(m.path, "matriq/") {
				continue
			}
			if m.sum == "" {
				return nil, fmt.Errorf("%s is in %s without a checksum", m, program)
			}
			found[m.String()] = m
		}
	}
	modules := slices.SortedFunc(maps.Values(found), func(a, b module) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.version, b.version))
	})
	for i := range modules {
		var err error
		if modules[i].licence, err = licenceOf(modules[i]); err != nil {
			return nil, err
		}
	}
	return modules, nil
}

func moduleOf(dep *debug.Module) module {
	if dep.Replace != nil {
		dep = dep.Replace
	}
	return module{path: dep.Path, version: dep.Version, sum: dep.Sum}
}

// licences are known by words that are in their text, the first that fits.
func licences() [][2]string {
	return [][2]string{
		{"MPL-2.0", "Mozilla Public License Version 2.0"},
		{"Apache-2.0", "Apache License Version 2.0"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
		{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
		{"BSD-3-Clause", "Neither the name of"},
		{"BSD-3-Clause", "nor the names of its contributors may be used"},
		{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
		{"Unlicense", "This is free and unencumbered software released into the public domain"},
		{"CC0-1.0", "CC0 1.0 Universal"},
	}
}

// licenceOf reads the licence file of a module in the module cache.
func licenceOf(m module) (string, error) {
	folder, err := folderOf(m)
	if err != nil {
		return "", err
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		if f.IsDir() || !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "LICENCE") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "UNLICENSE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name())) //nolint:gosec // G304: a file of the module cache
		if err != nil {
			return "", err
		}
		if licence := recognise(string(text)); licence != "" {
			return licence, nil
		}
	}
	return "", fmt.Errorf("the licence of %s is not known: look at %s", m, folder)
}

func recognise(text string) string {
	flat := strings.Join(strings.Fields(strings.ReplaceAll(text, ",", ", ")), " ")
	for _, l := range licences() {
		if strings.Contains(strings.ReplaceAll(flat, ", ", " "), strings.ReplaceAll(l[1], ", ", " ")) {
			return l[0]
		}
	}
	return ""
}

// folderOf is where the module cache has a module.
func folderOf(m module) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", m.String()) //nolint:gosec,noctx // a module of a program of ours, and the program's end is its end
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", m, err)
	}
	var answer struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", err
	}
	if answer.Sum != m.sum {
		return "", fmt.Errorf("%s has the checksum %s, and in the program %s", m, answer.Sum, m.sum)
	}
	return answer.Dir, nil
}

// writeLicences writes a table in Markdown.
func writeLicences(w io.Writer, modules []module) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "| module | version | licence |\n|---|---|---|\n")
	for _, m := range modules {
		fmt.Fprintf(b, "| %s | %s | %s |\n", m.path, m.version, m.licence)
	}
	return b.Flush()
}
