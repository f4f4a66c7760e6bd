"""The web API of OPAL: takes jobs in, lets each picture be uploaded, and hands it on."""
