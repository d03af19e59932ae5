SELECT
  `t4`.`id`,
  `t4`.`metaxy_commit`
FROM (
  SELECT
    `t1`.`id`,
    `t1`.`etag`,
    `t1`.`size`,
    `t1`.`metaxy_provenance__audio`,
    `t1`.`metaxy_data_version__audio`,
    `t1`.`metaxy_commit`,
    `t1`.`metaxy_deleted`,
    `t3`.`metaxy_newest`
  FROM `video` AS `t1`
  INNER JOIN (
    SELECT
      `t0`.`id`,
      MAX(`t0`.`metaxy_commit`) AS `metaxy_newest`
    FROM `video` AS `t0`
    GROUP BY
      1
  ) AS `t3`
    ON `t1`.`id` = `t3`.`id`
) AS `t4`
WHERE
  `t4`.`metaxy_commit` < `t4`.`metaxy_newest` AND `t4`.`metaxy_commit` > 0;
