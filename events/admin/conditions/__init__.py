"""What the builder of conditions asks: JSON for those who may see people. ``views`` are thin; nothing is written."""
