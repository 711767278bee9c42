"use strict";

// The parent namespace under the path that applications know it by.

const { ParentNamespace } = require("../lib/parent-namespace");

module.exports = { ParentNamespace };
