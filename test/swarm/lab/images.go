package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recipes has a folder for each image, with its Dockerfile.
//
//go:embed images
var recipes embed.FS

// madeOf is the label of an image that the lab has made. Its value is a hash of
// all that the image was made of.
const madeOf = "matriq.lab.made-of"

// image is one that the lab can make.
type image struct {
	tag    string
	recipe string // folder in images/
}

const (
	baseImage     = "matriq-lab/base"
	nodeImage     = "matriq-lab/node"
	registryImage = "matriq-lab/registry"
)

// standIns are the images that the stack takes from others.
func standIns() []image {
	return []image{
		{"redis:7.2-alpine", "redis"},
		{"mariadb:11.4", "mariadb"},
		{"rabbitmq:4.1-alpine", "rabbitmq"},
	}
}

// machines are the images that the three nodes are made of.
func machines() []image {
	return []image{{nodeImage, "node"}, {registryImage, "registry"}}
}

// makeImages makes those that are missing or were made of something else.
func makeImages(ctx context.Context, d docker, images []image) error {
	for _, i := range images {
		if err := i.make(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (i image) make(ctx context.Context, d docker) error {
	hash, err := i.hash()
	if err != nil || made(ctx, d, i.tag, hash) {
		return err
	}
	if err := makeBase(ctx, d); err != nil {
		return err
	}
	return step("image "+i.tag+" from Debian's packages", func() error { return i.build(ctx, d, hash) })
}

// made tells whether an image is there, and is made of what hash stands for. One
// that bears no hash was not made here: it is the real one, which is better.
func made(ctx context.Context, d docker, tag, hash string) bool {
	got, err := d.run(ctx, "image", "inspect", "--format", `{{index .Config.Labels "`+madeOf+`"}}`, tag)
	return err == nil && (got == "" || got == hash)
}

// hash stands for the recipe and what it is based on.
func (i image) hash() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, baseRecipe)
	err := fs.WalkDir(recipes, "images/"+i.recipe, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := recipes.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

func (i image) build(ctx context.Context, d docker, hash string) error {
	dir, err := os.MkdirTemp(home, "recipe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := i.unpack(dir); err != nil {
		return err
	}
	_, err = d.run(ctx, "build", "--quiet", "--build-arg", "http_proxy", "--build-arg", "https_proxy",
		"--label", madeOf+"="+hash, "--tag", i.tag, dir)
	return err
}

// unpack writes the recipe into dir.
func (i image) unpack(dir string) error {
	root := "images/" + i.recipe
	files, err := recipes.ReadDir(root)
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := recipes.ReadFile(root + "/" + file.Name())
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(file.Name(), ".sh") {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(dir, file.Name()), data, mode); err != nil {
			return err
		}
	}
	return nil
}
