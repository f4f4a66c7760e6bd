"""The API of DefectIQ: takes pictures in, and hands artifacts out."""
