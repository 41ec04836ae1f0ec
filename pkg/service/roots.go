package service

import (
	// An image made from scratch has no certificate authorities. These, Mozilla's
	// as the Go project packs them, hold where the system has none; SSL_CERT_FILE
	// names others.
	_ "golang.org/x/crypto/x509roots/fallback"
)
