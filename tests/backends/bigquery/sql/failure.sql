SELECT
  *
FROM `metaxy_failed`;
