"""Measurements that anyone can run again; results are kept beside."""
