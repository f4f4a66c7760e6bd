"""The billing service of OPAL: what each tenant has used, each item once."""
