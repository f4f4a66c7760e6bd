"""DefectIQ: looks at pictures of blades for defects, and leaves one artifact for each."""
