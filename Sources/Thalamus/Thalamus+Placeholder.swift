// Thalamus
